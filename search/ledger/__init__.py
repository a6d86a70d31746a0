"""What has happened, on disk: an Optuna journal, its lock, its repair, its two studies."""
