// It would put a style element into the page, which the policy forbids, for indicators that no page has.
htmx.config.includeIndicatorStyles = false;
