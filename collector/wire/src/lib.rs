//! Bytes in, borrowed views out: VXLAN, GENEVE and inner packets.
