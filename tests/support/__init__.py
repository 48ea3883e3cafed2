"""What tests share: notices, pages, a clock that is moved by hand."""
