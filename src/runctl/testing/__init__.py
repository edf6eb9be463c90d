"""The contract suites, public: what every provider, transport, store and format must keep."""
