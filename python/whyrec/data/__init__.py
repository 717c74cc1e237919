"""Tables in, arrays out: the first room of the flow, and the only one that knows ids."""
