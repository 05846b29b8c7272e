"""Networks that find people, or hands, in photographs."""
