module example.com/gotherm/target

go 1.21
