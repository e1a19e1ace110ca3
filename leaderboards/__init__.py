"""Published results: JSON and records by task, and the tables made from them (see `make leaderboards`)."""
