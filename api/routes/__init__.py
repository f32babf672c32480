"""The routes: parse, read or publish, shape. One module for each kind of thing."""
