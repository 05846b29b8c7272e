"""Builds the images and takes a farm of containers through a training: ``make docker-test``."""
