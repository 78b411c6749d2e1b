"""The DICOM upper layer of the listener (PS3.8): it owns the socket of an association, and its time.

In: the bytes of a connection. Out: requests, whose data sets go straight to where they are kept. What may fail: a peer
breaks the protocol or takes too long (Breach), or goes away (PeerGone); neither costs another association anything.
"""
