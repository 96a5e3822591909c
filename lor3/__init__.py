"""lor3: the stable import path. `lor3.testing` holds the fakes and the contract suites."""
