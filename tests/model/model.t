#!/bin/sh
# A few searches of each model, and a few of what is wrong on purpose. `make model` searches all of them.
exec "${0%/*}/run" quick
