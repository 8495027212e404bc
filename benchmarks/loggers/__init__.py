"""What a training pays for its log, with provrunner and with other loggers, in one run."""
