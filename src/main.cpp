// argv to command.
int main() { return 0; }
