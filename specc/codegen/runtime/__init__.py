"""What a generated project runs: copied into its folder `elastic/`, never imported by the compiler."""
