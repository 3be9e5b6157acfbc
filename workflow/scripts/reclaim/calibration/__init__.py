"""How often chance, or any other gene, would have passed the same rule."""
