"""Tasks that predict numbers: where things are, how they are turned, how they are lit."""
