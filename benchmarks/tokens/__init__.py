"""How fast the token meter is, and whether a real model server has the shape it assumes."""
