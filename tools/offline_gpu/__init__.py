"""Runs meshcycle on cluster nodes that have no network: ``python -m tools.offline_gpu --help``.

``pack/`` runs where there is a network, and writes everything that a node lacks into parts; ``node/`` runs on
the node. docs/offline_gpu.md says how to use both.
"""
