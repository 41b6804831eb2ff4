"""The tables of a gallery and what is done with them, in SQLAlchemy."""
