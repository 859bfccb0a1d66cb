# The target that needs the test kernel; the Makefile includes this. What it does stands in boot.py, cache.py, build.py.

# Lines and chips that come and go make the kernel wait for all readers of its lists, 30 ms at a time and 1.5 s for a
# test; expedited, it waits a fifth of that. `make test-kernel CYCLES=200 ARGS="-k cycles"` applies a file and takes it
# down so many times; the default is 5.
.PHONY: test-kernel
test-kernel: $(DEV) ## Run the tests that need GPIO in a kernel of our own, which is built once. ARGS as for test.
	$(VENV)/bin/python -m tests.kernel.boot --parameter rcupdate.rcu_expedited=1 \
		$(CURDIR)/$(VENV)/bin/python -m pytest -m kernel $(ARGS)
