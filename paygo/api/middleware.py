class RequestIdMiddleware:
    pass
