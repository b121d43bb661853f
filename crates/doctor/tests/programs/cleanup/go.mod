module example.test/cleanup

go 1.23
