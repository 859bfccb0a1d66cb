# The target that needs the test kernel; the Makefile includes this. What it does stands in boot.py, cache.py, build.py.

.PHONY: test-kernel
test-kernel: $(DEV) ## Run the tests that need GPIO in a kernel of our own, which is built once. ARGS as for test.
	$(VENV)/bin/python -m tests.kernel.boot $(CURDIR)/$(VENV)/bin/python -m pytest -m kernel $(ARGS)
