"""The paper's Tables 2 and 3 and Figures 2 to 4, from your own runs."""
