{
 "algorithm": "Ed25519",
 "key_id": "b685215150579ecf84a6b58b8b5beb6b372f0262abed4d09ffc859132bf420cf",
 "signature": "HMyutO4K42bZee2D69P4daL+u9xsqEVfHBI6DpHArVCiE6irNCvhQQGr9gwR4O16hvvalRpvfW9f7+jSpOAfDQ=="
}
