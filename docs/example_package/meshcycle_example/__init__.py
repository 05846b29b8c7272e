"""Parts of one's own for meshcycle; docs/own_parts.md says how they are used."""
