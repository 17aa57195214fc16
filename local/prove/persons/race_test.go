//go:build race

package persons

// raced says that the race detector slows tests down tenfold.
const raced = true
