//! The pure core: selection, filters, allocation, expansion, diff and checks of a mirror fleet.
