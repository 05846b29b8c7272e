"""Packs what a node without network lacks; runs in the project's .venv."""
