module rearguard.dev/docs/patterns

go 1.25
