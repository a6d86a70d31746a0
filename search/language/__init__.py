"""The space language: from a YAML file to candidates that Optuna can be asked for."""
