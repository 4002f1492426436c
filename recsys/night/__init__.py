"""The night: retrain, judge, publish, without ever making it worse."""
