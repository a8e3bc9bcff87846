"""What happens on the machine that computes: worker, agent, run folder, launchers. Knows the backend by HTTP only."""
