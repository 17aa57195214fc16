//go:build !race

package persons

const raced = false
