"""What the harness wants of a labgrid lab: which places there are, one of them for a job, its power, and it back.

holder.py     the name under which a job holds a place, and whether that job still lives
places.py     a look at the lab: places, resources, reservations; who holds what; pure
wire.py       a conversation with labgrid's coordinator
claiming.py   a place for the length of a `with`
reaping.py    what dead jobs left behind
power.py      the place's own power switch
trust.py      which environment files may be read: they run code

The conversation is labgrid's own gRPC protocol, by the stubs that it ships (labgrid.remote.generated), used from plain
synchronous code with a deadline on every call. Its ClientSession is made for its command line: it wants parsed
arguments, prints, takes its name from the environment of the whole process, and an answer that never comes blocks it.
A place stays with its holder when the holder's connection ends, so that no connection, and no thread of gRPC, is there
while something is measured.
"""
