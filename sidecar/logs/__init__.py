class LogSink:
    def __init__(self, *a):
        pass

    def __call__(self, e):
        pass

    def flush(self):
        pass
