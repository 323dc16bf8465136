// Package server is the share-link service over HTTP: the handlers of the contract's operations, request validation
// against that contract, authentication, and one place that writes every error.
package server
