// Package reporttest holds the tests of the report page in a browser: what only a
// laid-out page can tell, such as text that lies on other text. It has no code of
// its own, and is a module of its own, so that nobody else needs what drives the
// browser.
package reporttest
