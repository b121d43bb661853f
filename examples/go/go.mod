module rearguard.dev/examples/go

go 1.24
