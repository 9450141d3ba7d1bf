module github.com/gotherm/gotherm/pkg/instrument

go 1.23
