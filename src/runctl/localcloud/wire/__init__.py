"""What AWS's protocols look like on the wire: signatures, parameters, answers, errors."""
