"""The task suites that ghbench ships; plugins like anybody's, found through their entry points."""
