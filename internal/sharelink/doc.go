// Package sharelink is the domain: what a share link is, which rules hold for it, and what is asked of a store that
// remembers it. It knows no HTTP and no SQL. Time, randomness and ids come in through fields.
package sharelink
