# The first example of RFC 7352, section 3.4.
require "duplicate";

if duplicate {
	discard;
	stop;
}
