package goproc

import "errors"

// Sites finds where in a function a uprobe of a kind goes.
func (b *Binary) Sites(function string, kind SiteKind) ([]Site, error) {
	return nil, errors.New("not yet")
}

// CheapestSite is the site hit once a call that the kernel emulates.
func (b *Binary) CheapestSite(function string) (Site, error) {
	return Site{}, errors.New("not yet")
}

// CheckCode compares the process's memory at a site with what its file has.
func (p *Process) CheckCode(s Site) error { return errors.New("not yet") }
