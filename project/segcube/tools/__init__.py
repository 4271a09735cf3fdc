"""Tools that improve and compare submissions: tune, rank, soup."""
