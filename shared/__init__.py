"""What trainer, render worker, and background filter agree on: types, formats, conventions."""
