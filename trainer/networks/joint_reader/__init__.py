"""The network that looks for joints in heat maps and lifts them to a mesh, and its parts."""
