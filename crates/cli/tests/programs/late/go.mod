module example.test/late

go 1.22
