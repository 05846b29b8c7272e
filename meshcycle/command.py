"""What the command ``meshcycle`` starts: the command line, safe from strangers' files of the same names."""

from meshcycle.own_names import claim_names_in_children


def main() -> None:
    """Run the command line."""
    claim_names_in_children()
    from cli import main as command

    command(prog_name="meshcycle")
