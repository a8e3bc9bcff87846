"""Ways to start a script: each turns a request into a plan that can be looked at, then starts it."""
