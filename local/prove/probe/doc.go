// Package probe runs "tidemark probe" against the embedded services: they have to answer every question as the documentation
// says, or say that they do not cover it.
package probe
